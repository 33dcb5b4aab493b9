module go.opentelemetry.io/otel/sdk/log

go 1.26.0

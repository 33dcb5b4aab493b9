module go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp

go 1.26.0

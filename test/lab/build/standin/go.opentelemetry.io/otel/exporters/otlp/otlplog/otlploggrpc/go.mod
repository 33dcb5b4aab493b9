module go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc

go 1.26.0

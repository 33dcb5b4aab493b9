module go.opentelemetry.io/contrib/bridges/otellogrus

go 1.26.0

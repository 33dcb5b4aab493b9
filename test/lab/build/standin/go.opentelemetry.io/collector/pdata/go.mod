module go.opentelemetry.io/collector/pdata

go 1.26.0

// Package log has the part of OpenTelemetry's SDK for logs that Traefik calls. Traefik was
// written for an older version of it than Prometheus, and one program of the lab would have
// to be compiled with libraries of its own. No configuration gets this far: the exporters
// refuse to be made.
package log

import "go.opentelemetry.io/otel/sdk/resource"

type (
	// Exporter exports nothing.
	Exporter any
	// Processor processes nothing.
	Processor struct{}
	// LoggerProvider provides no loggers.
	LoggerProvider struct{}
	// LoggerProviderOption has no effect.
	LoggerProviderOption struct{}
)

// NewBatchProcessor returns a Processor.
func NewBatchProcessor(Exporter) Processor { return Processor{} }

// NewLoggerProvider returns a LoggerProvider.
func NewLoggerProvider(...LoggerProviderOption) *LoggerProvider { return &LoggerProvider{} }

// WithResource has no effect.
func WithResource(*resource.Resource) LoggerProviderOption { return LoggerProviderOption{} }

// WithProcessor has no effect.
func WithProcessor(Processor) LoggerProviderOption { return LoggerProviderOption{} }

// Package otellogrus stands in for the bridge from logrus to OpenTelemetry's logs, as package
// log of go.opentelemetry.io/otel/sdk/log explains.
package otellogrus

import "github.com/sirupsen/logrus"

type (
	// Hook does nothing.
	Hook struct{}
	// Option has no effect.
	Option struct{}
)

// WithLoggerProvider has no effect.
func WithLoggerProvider(any) Option { return Option{} }

// NewHook returns a Hook.
func NewHook(string, ...Option) *Hook { return &Hook{} }

// Levels is no level.
func (*Hook) Levels() []logrus.Level { return nil }

// Fire is never called.
func (*Hook) Fire(*logrus.Entry) error { return nil }

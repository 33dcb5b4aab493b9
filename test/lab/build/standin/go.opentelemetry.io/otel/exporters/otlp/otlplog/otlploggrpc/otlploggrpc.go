// Package otlploggrpc stands in for the exporter of logs over gRPC, as package log of
// go.opentelemetry.io/otel/sdk/log explains.
package otlploggrpc

import (
	"context"
	"errors"

	"google.golang.org/grpc/credentials"
)

type (
	// Exporter exports nothing.
	Exporter struct{}
	// Option has no effect.
	Option struct{}
)

// New fails.
func New(context.Context, ...Option) (*Exporter, error) {
	return nil, errors.New("the lab's Traefik is built without OpenTelemetry's logs")
}

// WithEndpoint has no effect.
func WithEndpoint(string) Option { return Option{} }

// WithHeaders has no effect.
func WithHeaders(map[string]string) Option { return Option{} }

// WithCompressor has no effect.
func WithCompressor(string) Option { return Option{} }

// WithInsecure has no effect.
func WithInsecure() Option { return Option{} }

// WithTLSCredentials has no effect.
func WithTLSCredentials(credentials.TransportCredentials) Option { return Option{} }

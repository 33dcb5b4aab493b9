// Package otlploghttp stands in for the exporter of logs over HTTP, as package log of
// go.opentelemetry.io/otel/sdk/log explains.
package otlploghttp

import (
	"context"
	"crypto/tls"
	"errors"
)

type (
	// Exporter exports nothing.
	Exporter struct{}
	// Option has no effect.
	Option struct{}
	// Compression is how to compress.
	Compression int
)

// GzipCompression is gzip.
const GzipCompression Compression = 1

// New fails.
func New(context.Context, ...Option) (*Exporter, error) {
	return nil, errors.New("the lab's Traefik is built without OpenTelemetry's logs")
}

// WithEndpoint has no effect.
func WithEndpoint(string) Option { return Option{} }

// WithHeaders has no effect.
func WithHeaders(map[string]string) Option { return Option{} }

// WithCompression has no effect.
func WithCompression(Compression) Option { return Option{} }

// WithInsecure has no effect.
func WithInsecure() Option { return Option{} }

// WithURLPath has no effect.
func WithURLPath(string) Option { return Option{} }

// WithTLSClientConfig has no effect.
func WithTLSClientConfig(*tls.Config) Option { return Option{} }

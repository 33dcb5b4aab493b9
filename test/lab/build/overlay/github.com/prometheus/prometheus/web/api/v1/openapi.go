package v1

import (
	"log/slog"
	"net/http"
)

// OpenAPIOptions has upstream's fields and no effect.
type OpenAPIOptions struct {
	IncludePaths   []string
	ExternalURL    string
	Version        string
	MaxSearchLimit int
}

// OpenAPIBuilder stands in for the description of the API, which is a third of upstream's
// build. The API itself is untouched.
type OpenAPIBuilder struct{}

// NewOpenAPIBuilder returns an OpenAPIBuilder.
func NewOpenAPIBuilder(OpenAPIOptions, *slog.Logger) *OpenAPIBuilder { return &OpenAPIBuilder{} }

// ServeOpenAPI answers 404.
func (*OpenAPIBuilder) ServeOpenAPI(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// WrapHandler returns next, as upstream does.
func (*OpenAPIBuilder) WrapHandler(next http.HandlerFunc) http.HandlerFunc { return next }

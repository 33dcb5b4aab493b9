// Package plugins stands in for Traefik's plugins, which need two interpreters: one of Go and
// one of WebAssembly. There are none here, and a configuration that names one is refused.
package plugins

import (
	"context"
	"errors"
	"net/http"

	"github.com/traefik/traefik/v3/pkg/provider"
)

var errAbsent = errors.New("the lab's Traefik is built without plugins")

// The types have the fields that Traefik itself writes.
type (
	// Constructor makes a middleware.
	Constructor func(context.Context, http.Handler) (http.Handler, error)
	// Descriptor describes a plugin.
	Descriptor struct{}
	// LocalDescriptor describes a plugin on this machine.
	LocalDescriptor struct{}
	// Manager manages nothing.
	Manager struct{}
	// ManagerOptions says where plugins are kept.
	ManagerOptions struct{ Output string }
	// RegistryDownloader downloads nothing.
	RegistryDownloader struct{}
	// RegistryDownloaderOptions says how to download.
	RegistryDownloaderOptions struct {
		HTTPClient   *http.Client
		ArchivesPath string
	}
	// Builder builds nothing.
	Builder struct{}
)

// NewRegistryDownloader fails.
func NewRegistryDownloader(RegistryDownloaderOptions) (*RegistryDownloader, error) {
	return nil, errAbsent
}

// NewManager fails.
func NewManager(*RegistryDownloader, ManagerOptions) (*Manager, error) { return nil, errAbsent }

// SetupRemotePlugins fails.
func SetupRemotePlugins(*Manager, map[string]Descriptor) error { return errAbsent }

// SetupLocalPlugins fails.
func SetupLocalPlugins(map[string]LocalDescriptor) error { return errAbsent }

// NewBuilder is called without plugins too.
func NewBuilder(*Manager, map[string]Descriptor, map[string]LocalDescriptor) (*Builder, error) {
	return &Builder{}, nil
}

// Build fails.
func (Builder) Build(string, map[string]any, string) (Constructor, error) { return nil, errAbsent }

// BuildProvider fails.
func (Builder) BuildProvider(string, map[string]any) (provider.Provider, error) {
	return nil, errAbsent
}

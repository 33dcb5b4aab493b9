// Package absent stands in for the providers of configuration that the lab does without.
// Each links the client libraries of what it reads, and they would be half of the build.
package absent

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// Provider provides nothing, and says so when it is configured.
type Provider struct{}

// Init fails.
func (*Provider) Init() error {
	return errors.New("the lab's Traefik is built without this provider")
}

// Provide is never reached.
func (p *Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return p.Init() }

// Builder builds one Provider.
type Builder struct{}

// BuildProviders returns the Provider.
func (*Builder) BuildProviders() []*Provider { return []*Provider{{}} }

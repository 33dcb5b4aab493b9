// Package docker is absent; see package absent.
package docker

import (
	"github.com/traefik/paerser/types"

	"github.com/traefik/traefik/v3/pkg/provider/absent"
)

// The names are upstream's.
const (
	DockerName = "docker"
	SwarmName  = "swarm"
)

// Provider is absent. The static configuration reads its field.
type Provider struct {
	absent.Provider `json:"-" toml:"-" yaml:"-"`

	HTTPClientTimeout types.Duration
}

// SwarmProvider is absent. The static configuration reads its fields.
type SwarmProvider struct {
	absent.Provider `json:"-" toml:"-" yaml:"-"`

	RefreshSeconds, HTTPClientTimeout types.Duration
}

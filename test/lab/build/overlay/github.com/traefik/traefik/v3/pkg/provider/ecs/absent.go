// Package ecs is absent; see package absent.
package ecs

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "ecs"

// Provider is absent.
type Provider = absent.Provider

// Package redis is absent; see package absent.
package redis

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "redis"

// Provider is absent.
type Provider = absent.Provider

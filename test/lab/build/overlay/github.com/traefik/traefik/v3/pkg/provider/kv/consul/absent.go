// Package consul is absent; see package absent.
package consul

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "consul"

// ProviderBuilder is absent.
type ProviderBuilder = absent.Builder

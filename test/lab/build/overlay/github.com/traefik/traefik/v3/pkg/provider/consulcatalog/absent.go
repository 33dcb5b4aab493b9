// Package consulcatalog is absent; see package absent.
package consulcatalog

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "consulcatalog"

// ProviderBuilder is absent.
type ProviderBuilder = absent.Builder

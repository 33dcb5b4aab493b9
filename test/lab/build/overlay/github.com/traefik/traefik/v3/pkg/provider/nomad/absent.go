// Package nomad is absent; see package absent.
package nomad

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "nomad"

// ProviderBuilder is absent.
type ProviderBuilder = absent.Builder

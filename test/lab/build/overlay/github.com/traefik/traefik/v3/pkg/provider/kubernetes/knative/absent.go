// Package knative is absent; see package absent.
package knative

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "knative"

// Provider is absent.
type Provider = absent.Provider

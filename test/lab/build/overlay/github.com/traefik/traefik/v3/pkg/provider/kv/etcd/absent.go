// Package etcd is absent; see package absent.
package etcd

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "etcd"

// Provider is absent.
type Provider = absent.Provider

// Package zk is absent; see package absent.
package zk

import "github.com/traefik/traefik/v3/pkg/provider/absent"

// ProviderName is upstream's.
const ProviderName = "zookeeper"

// Provider is absent.
type Provider = absent.Provider

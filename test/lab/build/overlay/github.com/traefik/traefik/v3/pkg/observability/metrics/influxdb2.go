package metrics

import (
	"context"

	"github.com/traefik/traefik/v3/pkg/observability/types"
)

// RegisterInfluxDB2 registers nothing: the lab's Traefik is built without InfluxDB's client.
func RegisterInfluxDB2(context.Context, *types.InfluxDB2) Registry { return nil }

// StopInfluxDB2 has nothing to stop.
func StopInfluxDB2() {}

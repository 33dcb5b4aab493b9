package remote

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage"
)

// OTLPOptions has upstream's fields and no effect.
type OTLPOptions struct {
	ConvertDelta            bool
	NativeDelta             bool
	LookbackDelta           time.Duration
	EnableTypeAndUnitLabels bool
}

// NewOTLPWriteHandler answers 404: the lab's Prometheus takes no metrics from OpenTelemetry.
func NewOTLPWriteHandler(
	*slog.Logger, prometheus.Registerer, storage.AppendableV2, func() config.Config, OTLPOptions,
) http.Handler {
	return http.NotFoundHandler()
}

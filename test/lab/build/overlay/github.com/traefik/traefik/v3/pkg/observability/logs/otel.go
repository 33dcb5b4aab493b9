package logs

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/traefik/traefik/v3/pkg/observability/types"
)

// SetupOTelLogger returns logger, and fails where OpenTelemetry's logs are configured: the
// lab's Traefik is built without them.
func SetupOTelLogger(_ context.Context, logger zerolog.Logger, config *types.OTelLog) (zerolog.Logger, error) {
	if config != nil {
		return zerolog.Logger{}, errors.New("the lab's Traefik is built without OpenTelemetry's logs")
	}
	return logger, nil
}

package ratelimiter

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
)

// newRedisLimiter fails: the lab's Traefik is built without the client of Redis. It limits
// rates in memory.
func newRedisLimiter(
	context.Context, rate.Limit, int64, time.Duration, int, dynamic.RateLimit, *zerolog.Logger,
) (limiter, error) {
	return nil, errors.New("the lab's Traefik is built without Redis")
}

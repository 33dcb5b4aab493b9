// See redis_limiter.go.

package ratelimiter

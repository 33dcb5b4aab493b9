package app

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// VersionVariable makes Run serve; its value is the version answered with.
const VersionVariable = "HEADGATE_LAB_APP_VERSION"

// config is how the service behaves. The zero value is healthy and fast.
type config struct {
	version, pod string
	port         string

	errorRate    float64       // ERROR_RATE: share of requests answered 500, 0..1
	latency      time.Duration // LATENCY: wait before each answer
	startupDelay time.Duration // STARTUP_DELAY: wait before it listens
	neverReady   bool          // NEVER_READY: /healthz answers 503 for ever
	crashAfter   time.Duration // CRASH_AFTER: exit 1 this long after the start; 0 never

	taskFailureRate float64 // TASK_FAILURE_RATE: share of tasks that are not completed, 0..1
	tokensPerTask   float64 // TOKENS_PER_TASK
	toolErrorRate   float64 // TOOL_ERROR_RATE: share of tool calls that fail, 0..1
}

// load reads the environment of the container.
func load() (config, error) {
	c := config{version: os.Getenv(VersionVariable), pod: os.Getenv("HOSTNAME"), port: os.Getenv("PORT")}
	if c.port == "" {
		c.port = "8080"
	}
	var err error
	read := func(name, example string, parse func(string) error) {
		value := os.Getenv(name)
		if value == "" || err != nil {
			return
		}
		if e := parse(value); e != nil {
			err = fmt.Errorf("%s: invalid value %q: write it like %q", name, value, example)
		}
	}
	read("LATENCY", "250ms", func(s string) (e error) { c.latency, e = time.ParseDuration(s); return })
	read("STARTUP_DELAY", "3s", func(s string) (e error) { c.startupDelay, e = time.ParseDuration(s); return })
	read("NEVER_READY", "true", func(s string) (e error) { c.neverReady, e = strconv.ParseBool(s); return })
	number := func(name, example string, into *float64) {
		read(name, example, func(s string) (e error) { *into, e = strconv.ParseFloat(s, 64); return })
	}
	number("ERROR_RATE", "0.5", &c.errorRate)
	number("TASK_FAILURE_RATE", "0.3", &c.taskFailureRate)
	number("TOKENS_PER_TASK", "1200", &c.tokensPerTask)
	number("TOOL_ERROR_RATE", "0.1", &c.toolErrorRate)
	read("CRASH_AFTER", "5s", func(s string) (e error) { c.crashAfter, e = time.ParseDuration(s); return })
	return c, err
}

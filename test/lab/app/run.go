package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Run serves and ends the process when the program was started as a pod's
// container; otherwise it returns at once. Call it first in main or TestMain.
func Run() {
	if os.Getenv(VersionVariable) == "" {
		return
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// stillServed is how long the service serves unchanged after SIGTERM: an ingress controller
// learns later than the pod that the pod ends.
const stillServed = 4 * time.Second

func serve() error {
	c, err := load()
	if err != nil {
		return err
	}
	if c.crashAfter > 0 {
		time.AfterFunc(c.crashAfter, func() {
			fmt.Fprintln(os.Stderr, "CRASH_AFTER has passed")
			os.Exit(1)
		})
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	select {
	case <-time.After(c.startupDelay):
	case <-stop.Done():
		return nil
	}
	return serveUntil(stop, &http.Server{Addr: net.JoinHostPort("", c.port), Handler: handler(c)})
}

// serveUntil serves, then for stillServed longer, then drains.
func serveUntil(stop context.Context, server *http.Server) error {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-stop.Done():
	}
	time.Sleep(stillServed)
	drain, cancel := context.WithTimeout(context.WithoutCancel(stop), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(drain); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

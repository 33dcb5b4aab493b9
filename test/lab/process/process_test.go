package process_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headgate/headgate/test/lab/process"
)

func start(t *testing.T, script string) *process.Process {
	t.Helper()
	p, err := process.Start(process.Spec{
		Name: "sample", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "logs", "sample.log"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func never(context.Context) error { return errors.New("no answer") }

func TestErrorQuotesTheLogOfAProgramThatEnds(t *testing.T) {
	p := start(t, "echo flag --x is unknown >&2; exit 3")
	err := p.WaitReady(t.Context(), never)
	for _, want := range []string{"sample ended with exit code 3 before it was ready", "flag --x is unknown", "sample.log"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
}

func TestErrorQuotesTheLastAnswerWhenTimeIsOver(t *testing.T) {
	p := start(t, "sleep 60")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := p.WaitReady(ctx, never); err == nil || !strings.Contains(err.Error(), "sample is not ready: no answer") {
		t.Errorf("error %v, want the last answer", err)
	}
}

func TestStopKillsWhatIgnoresIt(t *testing.T) {
	p := start(t, "trap '' TERM; echo up; while :; do sleep 0.1; done")
	// Not before the trap is set: without it SIGTERM alone would do.
	err := p.WaitReady(t.Context(), func(context.Context) error {
		if !strings.Contains(p.Tail(), "up") {
			return errors.New("not up")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	p.Stop(100 * time.Millisecond)
	if code := p.ExitCode(); code != 137 {
		t.Errorf("exit code %d, want 137 of SIGKILL", code)
	}
}

func TestOutputIsTheProgramsOwnAndBounded(t *testing.T) {
	log := filepath.Join(t.TempDir(), "sample.log")
	var p *process.Process
	for _, script := range []string{"echo before", "echo 0123456789; echo at last >&2; exit 1"} {
		var err error
		if p, err = process.Start(process.Spec{Name: "sample", Path: "/bin/sh", Args: []string{"-c", script}, Log: log}); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
	}
	for limit, want := range map[int64]string{100: "0123456789\nat last", 8: "at last"} {
		if got := p.Output(limit); got != want {
			t.Errorf("at most %d bytes of output: %q, want %q", limit, got, want)
		}
	}
}

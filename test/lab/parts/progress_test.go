package parts

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestProgressInALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		err := newProgress(&log).during(constantly("traefik"), func() error { time.Sleep(95 * time.Second); return nil })
		if err != nil {
			t.Fatal(err)
		}
		const want = "  traefik: 30s\n  traefik: 1m0s\n  traefik: 1m30s\n"
		if diff := cmp.Diff(want, log.String()); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
	})
}

func TestProgressOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen strings.Builder
		failure := errors.New("no compiler")
		p := progress{w: &screen, terminal: true}
		err := p.during(constantly("traefik"), func() error { time.Sleep(2500 * time.Millisecond); return failure })
		if !errors.Is(err, failure) {
			t.Errorf("error = %v, want that of the work", err)
		}
		const want = "\r\x1b[K  traefik: 1s\r\x1b[K  traefik: 2s\r\x1b[K" // one line, gone at the end
		if diff := cmp.Diff(want, screen.String()); diff != "" {
			t.Errorf("screen (-want +got):\n%s", diff)
		}
	})
}

func TestAFileIsNoTerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if newProgress(file).terminal {
		t.Error("a file is taken for a terminal")
	}
}

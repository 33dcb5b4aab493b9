package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"
)

func TestDelayDone(t *testing.T) {
	parent, stop := context.WithCancel(t.Context())
	ctx := delayDone(parent, 50*time.Millisecond)
	stop()
	stopped := time.Now()
	if ctx.Err() != nil {
		t.Fatal("done at once")
	}
	<-ctx.Done()
	if lasted := time.Since(stopped); lasted < 50*time.Millisecond {
		t.Errorf("lasted %v, want 50ms or more", lasted)
	}
}

func TestLogLevels(t *testing.T) {
	var out bytes.Buffer
	logger := newLogger(&out, slog.LevelInfo, jsonFormat)
	logger.V(1).Info("detail")
	logger.Info("transition", "deployment", "shop/web")
	var line struct{ Msg, Level, Deployment string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("want one line of JSON, got %q: %v", out.String(), err)
	}
	if line.Msg != "transition" || line.Level != "INFO" || line.Deployment != "shop/web" {
		t.Errorf("got %+v", line)
	}
	out.Reset()
	newLogger(&out, slog.LevelDebug, textFormat).V(1).Info("detail")
	if !bytes.Contains(out.Bytes(), []byte("msg=detail")) {
		t.Errorf("debug hides V(1): %q", out.String())
	}
}

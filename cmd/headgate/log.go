package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/go-logr/logr"
)

// logFormat is how log lines are written.
type logFormat string

const (
	jsonFormat logFormat = "json"
	textFormat logFormat = "text"
)

// UnmarshalText accepts "json" and "text".
func (f *logFormat) UnmarshalText(text []byte) error {
	switch s := logFormat(text); s {
	case jsonFormat, textFormat:
		*f = s
		return nil
	}
	return fmt.Errorf("unknown log format %q", text)
}

// newLogger returns a logger for the libraries, which log through logr, on top of
// slog. logr's V(n) is slog's level -n, where info is 0 and debug is -4. So the level
// debug shows V(1) to V(4), and the level info shows V(0) only.
func newLogger(out io.Writer, level slog.Level, format logFormat) logr.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == textFormat {
		return logr.FromSlogHandler(slog.NewTextHandler(out, options))
	}
	return logr.FromSlogHandler(slog.NewJSONHandler(out, options))
}

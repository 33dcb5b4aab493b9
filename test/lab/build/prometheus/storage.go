package main

import (
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/compression"
)

// localStorage is a tsdb.DB with the statistics that the HTTP API asks for.
type localStorage struct {
	*tsdb.DB
	stats *tsdb.DBStats
}

func openStorage(dir string, log *slog.Logger) (*localStorage, error) {
	opts := tsdb.DefaultOptions()
	opts.WALCompression = compression.Snappy // as upstream's flag defaults
	stats := tsdb.NewDBStats()
	db, err := tsdb.Open(dir, log, prometheus.DefaultRegisterer, opts, stats)
	if err != nil {
		return nil, err
	}
	return &localStorage{DB: db, stats: stats}, nil
}

// Stats is for /api/v1/status/tsdb.
func (s *localStorage) Stats(label string, limit int) (*tsdb.Stats, error) {
	return s.Head().Stats(label, limit), nil
}

// WALReplayStatus is for /api/v1/status/walreplay. The replay is over: it
// happens in openStorage.
func (s *localStorage) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return s.stats.Head.WALReplayStatus.GetWALReplayStatus(), nil
}

// BlockMetas is for /api/v1/status/tsdb/blocks.
func (s *localStorage) BlockMetas() ([]tsdb.BlockMeta, error) {
	return s.DB.BlockMetas(), nil
}

package main

import (
	"context"
	"log/slog"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/notifier"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/web"
)

// lookback is how old a sample may be and still count as current: upstream's
// default of --query.lookback-delta.
const lookback = 5 * time.Minute

// newHandler serves upstream's HTTP API. The managers of rules and alerts stay
// empty; without them a request for either would panic.
func newHandler(
	ctx context.Context, o options, cfg *config.Config, db *localStorage, scraper *scrape.Manager, log *slog.Logger,
) *web.Handler {
	return web.New(log, &web.Options{
		Context:         ctx,
		TSDBDir:         o.dir,
		LocalStorage:    db,
		Storage:         db,
		ExemplarStorage: db,
		QueryEngine:     newEngine(cfg, log),
		LookbackDelta:   lookback,
		ScrapeManager:   scraper,
		RuleManager:     rules.NewManager(&rules.ManagerOptions{Logger: log, Registerer: prometheus.DefaultRegisterer}),
		Notifier:        notifier.NewManager(&notifier.Options{Registerer: prometheus.DefaultRegisterer}, model.UTF8Validation, log),
		Version:         &web.PrometheusVersion{Version: version},
		ListenAddresses: []string{o.listen},
		ReadTimeout:     5 * time.Minute,
		MaxConnections:  512,
		ExternalURL:     &url.URL{Scheme: "http", Host: o.listen},
		RoutePrefix:     "/",
		AppName:         "Prometheus",
		Gatherer:        prometheus.DefaultGatherer,
		Registerer:      prometheus.DefaultRegisterer,
	})
}

// newEngine has the limits of upstream's default flags.
func newEngine(cfg *config.Config, log *slog.Logger) *promql.Engine {
	return promql.NewEngine(promql.EngineOpts{
		Logger:               log,
		Reg:                  prometheus.DefaultRegisterer,
		MaxSamples:           50_000_000,
		Timeout:              2 * time.Minute,
		LookbackDelta:        lookback,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		NoStepSubqueryIntervalFn: func(int64) int64 {
			return time.Duration(cfg.GlobalConfig.EvaluationInterval).Milliseconds()
		},
	})
}

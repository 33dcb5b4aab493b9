package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	_ "github.com/prometheus/prometheus/discovery/file" // file_sd_configs; static_configs need no plugin
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/web"
	"golang.org/x/sync/errgroup"
)

type options struct {
	configFile        string
	dir               string
	listen            string
	discoveryInterval time.Duration
}

// run serves until ctx ends. It stops scraping before it closes the storage,
// which takes two scrape intervals: upstream marks the series of every target
// as stale first.
func run(ctx context.Context, o options) (err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	cfg, err := readConfig(o.configFile, log)
	if err != nil {
		return err
	}
	db, err := openStorage(o.dir, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	finder, err := discover(ctx, cfg, o.discoveryInterval, log)
	if err != nil {
		return err
	}
	scraper, err := scrapeInto(db, cfg, o.discoveryInterval, log)
	if err != nil {
		return err
	}
	handler := newHandler(ctx, o, cfg, db, scraper, log)
	if err := handler.ApplyConfig(cfg); err != nil {
		return err
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return ignoreCancel(finder.Run()) })
	group.Go(func() error { return scraper.Run(finder.SyncCh()) })
	group.Go(func() error { <-ctx.Done(); scraper.Stop(); return nil })
	group.Go(func() error { return handler.Run(ctx, nil, "") })
	handler.SetReady(web.Ready)
	return group.Wait()
}

// readConfig refuses what this build would silently not do.
func readConfig(file string, log *slog.Logger) (*config.Config, error) {
	const agentMode = true // upstream's own check for alerting, rule_files and remote_read
	cfg, err := config.LoadFile(file, agentMode, log)
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", file, err)
	}
	if len(cfg.RemoteWriteConfigs) > 0 {
		return nil, fmt.Errorf("configuration %s: field remote_write is not supported by this build; remove it", file)
	}
	return cfg, nil
}

func discover(ctx context.Context, cfg *config.Config, interval time.Duration, log *slog.Logger) (*discovery.Manager, error) {
	metrics, err := discovery.CreateAndRegisterSDMetrics(prometheus.DefaultRegisterer)
	if err != nil {
		return nil, err
	}
	jobs, err := cfg.GetScrapeConfigs()
	if err != nil {
		return nil, err
	}
	sources := map[string]discovery.Configs{}
	for _, job := range jobs {
		sources[job.JobName] = job.ServiceDiscoveryConfigs
	}
	finder := discovery.NewManager(ctx, log, prometheus.DefaultRegisterer, metrics, discovery.Updatert(interval))
	return finder, finder.ApplyConfig(sources)
}

func scrapeInto(db *localStorage, cfg *config.Config, interval time.Duration, log *slog.Logger) (*scrape.Manager, error) {
	scraper, err := scrape.NewManager(&scrape.Options{
		DiscoveryReloadInterval:  model.Duration(interval),
		DiscoveryReloadOnStartup: true,
	}, log, nil, nil, db, prometheus.DefaultRegisterer)
	if err != nil {
		return nil, err
	}
	return scraper, scraper.ApplyConfig(cfg)
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

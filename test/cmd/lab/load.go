package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/headgate/headgate/test/lab"
	"github.com/headgate/headgate/test/lab/load"
)

// sendLoad sends requests and prints one line per second until Ctrl-C, then the sum.
func sendLoad(args []string) error {
	flags := flag.NewFlagSet("lab load", flag.ContinueOnError)
	host := flags.String("host", sample.Host(), "host name to ask for")
	rate := flags.Int("rate", 100, "requests per second")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	sending := load.Start(ctx, load.Options{URL: lab.IngressURL, Host: *host, Rate: *rate})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for from := time.Now(); ; {
		select {
		case <-ctx.Done():
			fmt.Println(sending.Stop())
			return nil
		case now := <-tick.C:
			fmt.Println(line(now, sending.Report().Between(from, now)))
			from = now
		}
	}
}

// line is one second of answers: "15:04:05  v1 90  v2 10".
func line(now time.Time, r load.Report) string {
	var b strings.Builder
	b.WriteString(now.Format("15:04:05"))
	versions := r.Versions()
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		name := v
		if v == "" {
			name = "nobody"
		}
		fmt.Fprintf(&b, "  %s %d", name, versions[v])
	}
	if n := len(r.Bad()); n > 0 {
		fmt.Fprintf(&b, "  bad %d", n)
	}
	return b.String()
}

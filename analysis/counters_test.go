package analysis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/analysis/evidence"
	"github.com/headgate/headgate/analysis/provider"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// standing is a series whose values are at noon, 5 s later and so on. "-" is no value.
func standing(instance, track, code, values string) provider.Series {
	s := provider.Series{Labels: map[string]string{"job": "traefik", "instance": instance, trackLabel: track, "code": code}}
	for i, word := range strings.Fields(values) {
		if word == "-" {
			continue
		}
		var value float64
		for _, digit := range word {
			value = value*10 + float64(digit-'0')
		}
		s.Points = append(s.Points, provider.Point{At: noon.Add(time.Duration(i) * lookInterval), Value: value})
	}
	return s
}

func look(requests, errors, canaryRequests, canaryErrors int64) evidence.Look {
	return evidence.Look{StableRequests: requests, StableErrors: errors, CanaryRequests: canaryRequests, CanaryErrors: canaryErrors}
}

func TestLooksOf(t *testing.T) {
	tests := map[string]struct {
		series []provider.Series
		want   []evidence.Look
	}{
		"each interval counts what is new in it": {
			[]provider.Series{
				standing("a", "stable", "200", "100 110 120 150"), standing("a", "stable", "503", "1 1 2 2"),
				standing("a", "canary", "200", "7 8 9 12"),
			},
			[]evidence.Look{look(10, 0, 1, 0), look(11, 1, 1, 0), look(30, 0, 3, 0)},
		},
		"the first error is a new series": {
			[]provider.Series{standing("a", "stable", "200", "100 110 120"), standing("a", "canary", "503", "- - 3")},
			[]evidence.Look{look(10, 0, 0, 0), look(10, 0, 3, 3), {}},
		},
		"a process that is seen for the first time counts from then on": {
			[]provider.Series{
				standing("a", "stable", "200", "100 110 120 130"), standing("b", "stable", "200", "- - 5000 5010"),
				standing("b", "canary", "503", "- - 900 901"),
			},
			[]evidence.Look{look(10, 0, 0, 0), look(10, 0, 0, 0), look(20, 0, 1, 1)},
		},
		"a process that begins again is left out, on both tracks": {
			[]provider.Series{
				standing("a", "stable", "200", "100 110 3 13"), standing("a", "canary", "503", "5 6 9 10"),
				standing("b", "stable", "200", "1 2 3 4"),
			},
			[]evidence.Look{look(11, 0, 1, 1), look(1, 0, 0, 0), look(11, 0, 1, 1)},
		},
		"a process that is gone keeps what was counted": {
			[]provider.Series{standing("a", "stable", "200", "100 110 - -"), standing("b", "canary", "200", "1 2 3 4")},
			[]evidence.Look{look(10, 0, 1, 0), look(0, 0, 1, 0), look(0, 0, 1, 0)},
		},
		"a scrape that is rarer than a look": {
			[]provider.Series{standing("a", "stable", "200", "100 100 100 130"), standing("a", "canary", "500", "1 1 1 2")},
			[]evidence.Look{{}, {}, look(30, 0, 1, 1)},
		},
	}
	byCode := comparison{}.classify(traefikSeries{}, "")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := looksOf(tt.series, grid{from: noon, step: lookInterval, size: 3}, byCode)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("looks (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLooksPerScrape(t *testing.T) {
	something, nothing := look(1, 0, 0, 0), evidence.Look{}
	for name, tt := range map[string]struct {
		pattern []evidence.Look
		want    int
	}{
		"each has requests":  {[]evidence.Look{something}, 1},
		"a scrape each 15 s": {[]evidence.Look{nothing, something, nothing}, 3},
		"a scrape each 30 s": {[]evidence.Look{something, nothing, nothing, nothing, nothing, nothing}, 6},
		"none has":           {[]evidence.Look{nothing}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var looks []evidence.Look
			for range 100 {
				looks = append(looks, tt.pattern...)
			}
			if got := looksPerScrape(looks); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
	if got := looksPerScrape([]evidence.Look{something, something, nothing, nothing}); got != 1 {
		t.Errorf("requests that ended: %d, want 1", got)
	}
}

func TestGridBetween(t *testing.T) {
	tests := map[string]struct {
		from, to time.Duration // after noon
		first    time.Duration
		size     int
	}{
		"on the grid":      {0, 10 * time.Second, 0, 2},
		"between":          {time.Second, 14 * time.Second, 5 * time.Second, 1},
		"too short":        {time.Second, 4 * time.Second, 5 * time.Second, -1},
		"only the start":   {0, 0, 0, 0},
		"a nanosecond off": {1, 5*time.Second + 1, 5 * time.Second, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := gridBetween(noon.Add(tt.from), noon.Add(tt.to))
			if !g.from.Equal(noon.Add(tt.first)) || g.size != tt.size {
				t.Errorf("from %s, size %d; want %s, %d", g.from.Sub(noon), g.size, tt.first, tt.size)
			}
		})
	}
}

// bucket is a series of the histogram of stable.
func bucket(le, values string) provider.Series {
	s := standing("a", "stable", "", values)
	s.Labels["le"] = le
	return s
}

func TestChooseLimit(t *testing.T) {
	buckets := []provider.Series{
		bucket("0.1", "0 500"), bucket("0.3", "0 992"), bucket("1.2", "0 999"), bucket("5.0", "0 1000"), bucket("+Inf", "0 1000"),
	}
	slow := []provider.Series{bucket("1.2", "0 5"), bucket("+Inf", "0 900")}
	g := grid{from: noon, step: lookInterval, size: 1}
	tests := map[string]struct {
		c      comparison
		series []provider.Series
		want   string
	}{
		"above 1.2 times p99":      {comparison{quantile: .99, times: 1.2}, buckets, "1.2"},
		"at the median":            {comparison{quantile: .5, times: 1}, buckets, "0.1"},
		"exactly at p99":           {comparison{quantile: .99, times: 1}, buckets, "0.3"},
		"above every bound":        {comparison{quantile: .99, times: 5}, buckets, "5.0"},
		"most are in the last one": {comparison{quantile: .99, times: 1.2}, slow, "1.2"},
		"a limit between bounds":   {comparison{quantile: .99, seconds: .5}, buckets, "1.2"},
		"a limit that is a bound":  {comparison{quantile: .99, seconds: 5}, buckets, "5.0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.c.chooseLimit(tt.series, g)
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	few := []provider.Series{bucket("1.2", "0 99"), bucket("+Inf", "0 99")}
	if limit, err := (comparison{quantile: .99, times: 1.2}).chooseLimit(few, g); err == nil {
		t.Errorf("99 requests are enough for %q", limit)
	}
	for want, series := range map[string][]provider.Series{"the histogram of the ingress controller ends at 5s": buckets, "no request": nil} {
		_, err := comparison{quantile: .99, seconds: 6}.chooseLimit(series, g)
		if err == nil || !isUnknown(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

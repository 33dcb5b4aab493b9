package load

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/headgate/headgate/test/lab/app"
)

// Options says what to send. URL is required; the zero value of the rest is its default.
type Options struct {
	// URL is the ingress controller's, with the path to ask for.
	URL string
	// Host is the Host header; default the URL's.
	Host string
	// Rate is requests per second; default 100.
	Rate int
	// Concurrency is the most requests in flight; default 64. A request above it is counted
	// in Report.Skipped and never sent.
	Concurrency int
	// FreshEvery makes each Nth request use a connection of its own; default 10. The others
	// reuse open ones.
	FreshEvery int
	// Timeout of a request; default 30 s. Shorter ones fail on a busy machine.
	Timeout time.Duration
	// Header is added to every request.
	Header http.Header
	// Jar keeps cookies, as the browser of one user does; nil: none are kept.
	Jar http.CookieJar
}

func (o Options) withDefaults() Options {
	o.Rate = positive(o.Rate, 100)
	o.Concurrency = positive(o.Concurrency, 64)
	o.FreshEvery = positive(o.FreshEvery, 10)
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	return o
}

func positive(n, otherwise int) int {
	if n > 0 {
		return n
	}
	return otherwise
}

// Load is a running load.
type Load struct {
	options       Options
	reused, fresh *http.Client
	cancel        context.CancelFunc
	sending       sync.WaitGroup

	mu     sync.Mutex
	report Report
}

// Start sends until Stop or until ctx is over.
func Start(ctx context.Context, o Options) *Load {
	l := &Load{options: o.withDefaults()}
	l.reused = client(l.options, false)
	l.fresh = client(l.options, true)
	ctx, l.cancel = context.WithCancel(ctx)
	l.sending.Go(func() { l.send(ctx) })
	return l
}

func client(o Options, fresh bool) *http.Client {
	return &http.Client{
		Timeout: o.Timeout,
		Jar:     o.Jar,
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: o.Timeout}).DialContext,
			MaxIdleConnsPerHost: o.Concurrency,
			DisableKeepAlives:   fresh,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Stop waits for the requests in flight and returns everything seen.
func (l *Load) Stop() Report {
	l.cancel()
	l.sending.Wait()
	l.reused.CloseIdleConnections()
	return l.Report()
}

// Report returns what was seen so far.
func (l *Load) Report() Report {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.report
	// The capacity is cut, so that later answers never change a report that was returned.
	r.Answers = r.Answers[:len(r.Answers):len(r.Answers)]
	return r
}

// send starts a request whenever one is due, and does not wait for its answer: a slow
// version must not slow the load down. When a request is due is counted from the start, so
// that a busy machine makes the load uneven but not smaller. Example: at a rate of 100, the
// request with index 250 is due 2.5 s after the start.
func (l *Load) send(ctx context.Context) {
	interval := time.Second / time.Duration(l.options.Rate)
	free := make(chan struct{}, l.options.Concurrency)
	start := time.Now()
	for n := 0; ; n++ {
		due := start.Add(time.Duration(n) * interval)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(due)):
		}
		select {
		case free <- struct{}{}:
		default:
			l.skip()
			continue
		}
		client := l.reused
		if n%l.options.FreshEvery == 0 {
			client = l.fresh
		}
		l.sending.Go(func() {
			l.add(l.ask(client, due))
			<-free
		})
	}
}

// ask sends one request. It is not cancelled by Stop: that would count as a failure.
func (l *Load) ask(client *http.Client, due time.Time) Answer {
	a := Answer{Due: due, Sent: time.Now()}
	req, err := http.NewRequest(http.MethodGet, l.options.URL, nil)
	if err != nil {
		a.Err = err
		return a
	}
	req.Host = l.options.Host
	for name, values := range l.options.Header {
		req.Header[name] = values
	}
	res, err := client.Do(req)
	if err == nil {
		a.Version = res.Header.Get(app.VersionHeader)
		a.OnPurpose = res.Header.Get(app.OnPurposeHeader) != ""
		a.Code = res.StatusCode
		_, err = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
	a.Err, a.Took = err, time.Since(a.Sent)
	return a
}

func (l *Load) add(a Answer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Answers = append(l.report.Answers, a)
}

func (l *Load) skip() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.report.Skipped++
}

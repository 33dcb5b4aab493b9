package load_test

import (
	"context"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headgate/headgate/test/lab/app"
	"github.com/headgate/headgate/test/lab/load"
)

func TestLoadKeepsItsRateAndConnections(t *testing.T) {
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "web.test" {
			w.Header().Set(app.VersionHeader, "v1")
		}
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	sending := load.Start(t.Context(), load.Options{URL: server.URL, Host: "web.test", Rate: 100, FreshEvery: 20})
	for len(sending.Report().Answers) < 100 {
		time.Sleep(10 * time.Millisecond)
	}
	report := sending.Stop()
	if report.Share("v1") != 1 {
		t.Errorf("want answers of v1 alone, got %s", report)
	}
	// A request is never sent early. Late ones are sent all the same, one after the other.
	for i, a := range report.Answers {
		if a.Sent.Before(a.Due) {
			t.Errorf("request %d was sent at %s, before it was due at %s", i, a.Sent, a.Due)
		}
	}
	due := slices.SortedFunc(slices.Values(report.Answers), func(a, b load.Answer) int { return a.Due.Compare(b.Due) })
	first, last := due[0].Due, due[len(due)-1].Due
	if got, want := last.Sub(first), time.Duration(len(due)+report.Skipped-1)*10*time.Millisecond; got != want {
		t.Errorf("%d requests were due within %s, want one every 10ms: %s", len(due), got, want)
	}
	if n := connections.Load(); n < 5 || n > 60 {
		t.Errorf("%d connections, want some fresh ones and most requests on open ones", n)
	}
}

func TestCookiesAreKept(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		version := "known"
		if _, err := r.Cookie("user"); err != nil {
			version = "new"
			http.SetCookie(w, &http.Cookie{Name: "user", Value: "me"})
		}
		w.Header().Set(app.VersionHeader, version)
	}))
	defer server.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sending := load.Start(t.Context(), load.Options{URL: server.URL, Rate: 20, FreshEvery: 2, Jar: jar})
	for sending.Report().Versions()["known"] < 4 {
		time.Sleep(10 * time.Millisecond)
	}
	report := sending.Stop()
	first := report.Answers[0]
	// Whatever was sent before the first answer came has no cookie either.
	if got := report.Since(first.Came()).Versions(); first.Version != "new" || got["new"] > 0 {
		t.Errorf("the first answer is %s and those after it are %v, want the first new and the others known", first, got)
	}
}

func TestSlowAnswersAreSkippedNotQueued(t *testing.T) {
	answer := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-answer }))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	sending := load.Start(ctx, load.Options{URL: server.URL, Rate: 100, Concurrency: 2})
	for sending.Report().Skipped < 20 {
		time.Sleep(10 * time.Millisecond)
	}
	if n := len(sending.Report().Answers); n > 0 {
		t.Errorf("%d answers came before the server gave any", n)
	}
	stop()
	close(answer)
	if report := sending.Stop(); len(report.Answers) < 2 || len(report.Answers) > 3 || report.Skipped < 20 {
		t.Errorf("two at a time, and perhaps one more at the end: %s", report)
	}
}

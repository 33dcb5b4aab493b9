package load_test

import (
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
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
	time.Sleep(time.Second)
	report := sending.Stop()
	if n := len(report.Answers) + report.Skipped; n < 90 || n > 110 || report.Share("v1") != 1 {
		t.Errorf("want about 100 answers, all of v1; got %s", report)
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
	time.Sleep(500 * time.Millisecond)
	got := sending.Stop().Versions()
	if got["new"] != 1 || got["known"] < 3 {
		t.Errorf("answers are %v, want the first to be new and all others known", got)
	}
}

func TestSlowAnswersAreSkippedNotQueued(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		time.Sleep(300 * time.Millisecond)
	}))
	defer server.Close()
	sending := load.Start(t.Context(), load.Options{URL: server.URL, Rate: 100, Concurrency: 2})
	time.Sleep(500 * time.Millisecond)
	if report := sending.Stop(); report.Skipped < 20 || len(report.Answers) > 6 {
		t.Errorf("two at a time: %s", report)
	}
}

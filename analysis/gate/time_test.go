package gate

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headgate/headgate/rollout"
	"github.com/headgate/headgate/rollout/spec"
)

// script answers each request with its next word, and further requests with its last
// word: a status, "down" for a failed connection, "silence" for no answer in time.
type script struct {
	words []string
	asked int // how many requests came
}

var errDown = errors.New("down")

func (transport *script) RoundTrip(r *http.Request) (*http.Response, error) {
	word := transport.words[min(transport.asked, len(transport.words)-1)]
	transport.asked++
	switch word {
	case "down":
		return nil, errDown
	case "silence":
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	code := map[string]int{"200": 200, "403": 403, "429": 429, "500": 500, "503": 503}[word]
	return &http.Response{StatusCode: code, Body: http.NoBody, Request: r}, nil
}

const exampleURL = "https://gate.example.com/web"

// askScript calls Ask in a synctest bubble, where waiting takes no real time.
func askScript(t *testing.T, transport *script, gates ...spec.Gate) (answer rollout.GateAnswer, took time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper(t, "https://gate.example.com")
		k.client.Transport = transport
		began := time.Now()
		answer = k.Ask(t.Context(), gates, start)
		took = time.Since(began)
	})
	return answer, took
}

func TestRetries(t *testing.T) {
	const noHTTP = "did not answer: the connection failed or the answer was not HTTP"
	for name, tt := range map[string]struct {
		words   string
		retries int
		asked   int
		took    time.Duration
		want    string // "" is open
	}{
		"a yes at once":                   {"200", 3, 1, 0, ""},
		"a no is an answer":               {"403", 3, 1, 0, "answered 403 Forbidden"},
		"no answer, without retries":      {"down", 0, 1, 0, noHTTP},
		"no answer, then a yes":           {"down 200", 3, 2, 200 * time.Millisecond, ""},
		"no answer, then a no":            {"down 403 200", 3, 2, 200 * time.Millisecond, "answered 403 Forbidden"},
		"500, 503 and 429 are no answers": {"500 503 429 200", 3, 4, 950 * time.Millisecond, ""},
		"retries end":                     {"503", 2, 3, 500 * time.Millisecond, "answered 503 Service Unavailable"},
		"the last attempt counts":         {"503 down", 1, 2, 200 * time.Millisecond, noHTTP},
		"a timeout is of one request":     {"silence 200", 1, 2, 10200 * time.Millisecond, ""},
		"no request is answered":          {"silence", 1, 2, 20200 * time.Millisecond, "did not answer: timed out after 10s"},
		"the longest that is possible":    {"down", 10, 11, 22666 * time.Millisecond, noHTTP},
	} {
		t.Run(name, func(t *testing.T) {
			transport := &script{words: strings.Fields(tt.words)}
			got, took := askScript(t, transport, spec.Gate{Before: spec.GateStart, URL: exampleURL, Timeout: 10 * time.Second, Retries: tt.retries})
			if got.Open != (tt.want == "") || strings.TrimPrefix(got.Message, `"`+exampleURL+`" `) != tt.want {
				t.Errorf("got %+v, want %q", got, tt.want)
			}
			if took = took.Truncate(time.Millisecond); took != tt.took || transport.asked != tt.asked {
				t.Errorf("%d requests in %s, want %d in %s", transport.asked, took, tt.asked, tt.took)
			}
		})
	}
}

func TestAnAskEnds(t *testing.T) {
	slow := spec.Gate{Before: spec.GateStart, URL: exampleURL, Timeout: 30 * time.Second, Retries: 10}
	transport := &script{words: []string{"silence"}}
	got, took := askScript(t, transport, slow)
	if want := `"` + exampleURL + `" did not answer: timed out after 30s`; took != 30*time.Second || got.Open || got.Message != want {
		t.Errorf("after %s: %+v", took, got)
	}
}

func TestALaterGateMayHaveNoTimeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := keeper(t, "https://gate.example.com")
		k.client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			time.Sleep(11 * time.Second)
			return &http.Response{StatusCode: 200, Body: http.NoBody, Request: r}, nil
		})
		var gates []spec.Gate
		for _, path := range []string{"/a", "/b", "/c", "/d"} {
			gates = append(gates, gateAt("https://gate.example.com"+path))
		}
		got := k.Ask(t.Context(), gates, start)
		if want := `"https://gate.example.com/d" was not asked: the gates before it took too long`; got.Open || got.Message != want {
			t.Errorf("got %+v", got)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAnswersAreRememberedForFiveSeconds(t *testing.T) {
	g := gateAt(exampleURL)
	other := g
	other.URL += "/other"
	heavier := start
	heavier.Weight = 10
	next := start
	next.Rollout = "8"

	for name, tt := range map[string]struct {
		words string
		after time.Duration
		gates []spec.Gate
		again rollout.GateQuestion
		asked int
	}{
		"the same question":           {"200", 4999 * time.Millisecond, []spec.Gate{g}, start, 1},
		"the same after a no":         {"403", 4999 * time.Millisecond, []spec.Gate{g}, start, 1},
		"the same after no answer":    {"down", 4999 * time.Millisecond, []spec.Gate{g}, start, 1},
		"the same five seconds later": {"200", 5001 * time.Millisecond, []spec.Gate{g}, start, 2},
		"at another weight":           {"200", 0, []spec.Gate{g}, heavier, 2},
		"in another rollout":          {"200", 0, []spec.Gate{g}, next, 2},
		"of another gate":             {"200", 0, []spec.Gate{other}, start, 2},
		"of one more gate":            {"200", 0, []spec.Gate{g, other}, start, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := &script{words: strings.Fields(tt.words)}
				k := keeper(t, "https://gate.example.com")
				k.client.Transport = transport
				first := k.Ask(t.Context(), []spec.Gate{g}, start)
				time.Sleep(tt.after)
				if again := k.Ask(t.Context(), tt.gates, tt.again); again.Open != first.Open {
					t.Errorf("first %+v, then %+v", first, again)
				}
				if transport.asked != tt.asked {
					t.Errorf("%d requests, want %d", transport.asked, tt.asked)
				}
			})
		})
	}
}

func TestWhatAShutdownCutShortIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &script{words: []string{"silence", "200"}}
		k := keeper(t, "https://gate.example.com")
		k.client.Transport = transport
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := k.Ask(ctx, []spec.Gate{gateAt(exampleURL)}, start); got.Open {
			t.Errorf("got %+v", got)
		}
		if got := k.Ask(t.Context(), []spec.Gate{gateAt(exampleURL)}, start); !got.Open {
			t.Errorf("got %+v", got)
		}
	})
}

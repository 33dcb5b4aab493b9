// Package provider is what package analysis and the providers below this one share:
// questions and answers, variables in questions, the operator's settings, and the HTTP
// client that all providers use.
//
//	HEADGATE_PROVIDERS_FILE
//	   │ ReadFile       one Entry for each provider       settings.go
//	   ▼
//	Entry
//	   │ Decode, Client  by New of prometheus, web, …     settings.go, connection.go
//	   ▼
//	a provider, which package analysis asks through its interface Provider
//	   │ Check          a Question, when a user writes it
//	   │ Ask            the same Question, with the variables filled in   template.go
//	   ▼
//	Answer
//
// Operators decide which providers exist, where they are and how Headgate logs in
// there. Users decide what they are asked. So no address, no header and no credential
// ever comes from a Question.
package provider

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Question is what one metric asks, as the user wrote it: its texts are templates with
// variables such as {{namespace}}. The zero value of a field is a field that the user
// did not write.
type Question struct {
	// Query is in the language of the provider.
	Query string

	// Path, Method and Body are a request to a web provider.
	Path   string
	Method string
	Body   string

	// Reduce makes one number of a series of points.
	Reduce Reduce

	// BuiltIn says that Headgate wrote Query: it has no variables, and it selects by
	// namespace already.
	BuiltIn bool
}

// Answer is what a provider returned. The zero value is no data.
type Answer struct {
	Numbers  []float64
	Warnings []string // the answer may be incomplete

	// Status and Body are of a web provider only: the status of the HTTP answer, and
	// its body decoded from JSON. Body is nil where the body is not JSON.
	Status int
	Body   any
}

// QueryFault is an error whose cause is the question, not the provider. It continues a
// sentence that begins with "query": "is refused by Prometheus: …".
type QueryFault string

func (q QueryFault) Error() string { return string(q) }

// Faultf returns a QueryFault.
func Faultf(format string, args ...any) error { return QueryFault(fmt.Sprintf(format, args...)) }

// NotConfigured is the error of a provider that the operator has not set up. It says
// what to set.
type NotConfigured string

func (n NotConfigured) Error() string { return string(n) }

// Reduce is how a series of points becomes one number. The zero value is the average.
type Reduce string

// The ways to reduce. A count is the sum of its points, a rate or a gauge their average.
const (
	Average Reduce = "avg"
	Sum     Reduce = "sum"
	Min     Reduce = "min"
	Max     Reduce = "max"
	Last    Reduce = "last"
)

var reductions = []Reduce{Average, Sum, Min, Max, Last}

// Check returns an error that lists what r may be.
func (r Reduce) Check() error {
	if r == "" || slices.Contains(reductions, r) {
		return nil
	}
	var words []string
	for _, known := range reductions {
		words = append(words, string(known))
	}
	return fmt.Errorf("reduce %q: want one of %s: write for example reduce: sum", string(r), strings.Join(words, ", "))
}

// Of returns the number for points, which are in the order of time. ok is false where
// there are none. Example: 1, 2 and 6 have the average 3, the sum 9 and the last 6.
func (r Reduce) Of(points []float64) (number float64, ok bool) {
	if len(points) == 0 {
		return math.NaN(), false
	}
	var sum float64
	for _, point := range points {
		sum += point
	}
	switch r {
	case Sum:
		return sum, true
	case Min:
		return slices.Min(points), true
	case Max:
		return slices.Max(points), true
	case Last:
		return points[len(points)-1], true
	case Average:
	}
	return sum / float64(len(points)), true
}

// CheckQuery says whether q is one query, for a provider whose language is called
// language. example is a query that is valid there. series says that the provider
// returns points of time, which can be reduced.
func CheckQuery(q Question, language, example string, series bool) error {
	switch {
	case q.Path != "" || q.Method != "" || q.Body != "":
		return fmt.Errorf("path, method and body are for a web provider: write for example query: %s", example)
	case q.Query == "":
		return fmt.Errorf("there is no query: write for example query: %s", example)
	case len(q.Query) > MaxText:
		return fmt.Errorf("query has %d bytes, want at most %d: write a shorter %s query", len(q.Query), MaxText, language)
	case q.Reduce != "" && !series:
		return fmt.Errorf("reduce is for a provider that returns points of time: write a %s query that yields one number", language)
	}
	if err := q.Reduce.Check(); err != nil {
		return err
	}
	return CheckTemplate(q.Query)
}

// Series is one series of an answer about a range of time.
type Series struct {
	Labels map[string]string
	Points []Point // in the order of time
}

// Point is the value of a series at one time.
type Point struct {
	At    time.Time
	Value float64
}

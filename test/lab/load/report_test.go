package load_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/headgate/headgate/test/lab/load"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// answers holds one answer for each second: a v1, a v2, an error on purpose, one of nobody, one cut short.
var answers = load.Report{Answers: []load.Answer{
	{Due: start.Add(-1500 * time.Millisecond), Sent: start, Version: "v1", Code: 200},
	{Due: start.Add(1 * time.Second), Sent: start.Add(1 * time.Second), Took: 900 * time.Millisecond, Version: "v2", Code: 200},
	{Due: start.Add(2 * time.Second), Sent: start.Add(2 * time.Second), Version: "v2", Code: 500, OnPurpose: true},
	{Due: start.Add(3 * time.Second), Sent: start.Add(3 * time.Second), Code: 503},
	{Due: start.Add(4 * time.Second), Sent: start.Add(4 * time.Second), Version: "v1", Code: 200, Err: errors.New("unexpected EOF")},
}}

func TestReportCounts(t *testing.T) {
	if diff := cmp.Diff(map[string]int{"v1": 2, "v2": 2, "": 1}, answers.Versions()); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	for sentence, c := range map[string]struct{ got, want any }{
		"bad is whatever a client complains of":           {len(answers.Bad()), 3},
		"an error on purpose is not the rollout's":        {len(answers.FailedByRollout()), 2},
		"the share is among the versions' answers":        {answers.Share("v2"), 0.5},
		"a share of nothing is 0":                         {load.Report{}.Share("v2"), 0.0},
		"the last of a version":                           {answers.LastOf("v2"), start.Add(2 * time.Second)},
		"the last of an unknown version is the zero time": {answers.LastOf("v9"), time.Time{}},
		"the last bad answer":                             {answers.LastBad(), start.Add(4 * time.Second)},
		"an interval holds its start, not its end":        {len(answers.Between(start, start.Add(2*time.Second)).Answers), 2},
		"an answer after the interval is not in it":       {len(answers.Between(start, start.Add(1500*time.Millisecond)).Answers), 1},
		"since holds its start":                           {len(answers.Since(start.Add(4 * time.Second)).Answers), 1},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sentence, diff)
		}
	}
}

func TestReportQuotesFailures(t *testing.T) {
	want := `5 answers, "" 1, "v1" 2, "v2" 2; 3 bad, 2 of them failed by the rollout, 0 not sent; sent up to 1.5s late
	12:00:03.000 version "" status 503 after 0s
	12:00:04.000 version "v1" status 200 after 0s: unexpected EOF`
	if diff := cmp.Diff(want, answers.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package doctor

import (
	"encoding/json"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/version"
)

// oldest is the first minor version of Kubernetes 1 that the chart installs on.
const oldest = 31

// maxSkew is how far apart two clocks may be. Waits are counted by one clock and shown by
// another.
const maxSkew = 10 * time.Second

// server looks at the API server and its clock. It is false where nothing else can be asked.
func (e *examination) server() bool {
	const name = "API server"
	status, header, body, err := e.Get(e.ctx, "/version")
	if err != nil {
		e.add(Error, name, "look at the kubeconfig: kubectl cluster-info", "it does not answer: %v", err)
		return false
	}
	e.serverTime, _ = http.ParseTime(header.Get("Date")) // without it the clocks are not compared
	var v version.Info
	if status != http.StatusOK || json.Unmarshal(body, &v) != nil {
		e.add(NotChecked, name, "", "it does not tell its version: %s", http.StatusText(status))
	} else if minor := minorOf(v.Minor); v.Major == "1" && minor < oldest {
		e.add(Error, name, "upgrade the cluster", "it is %s, and Headgate needs Kubernetes 1.%d or newer", v.GitVersion, oldest)
	} else {
		e.ok(name, "%s", v.GitVersion)
	}
	e.clock()
	return true
}

// minorOf reads "31" and "31+".
func minorOf(text string) int {
	n := 0
	for _, r := range text {
		if r < '0' || r > '9' {
			break
		}
		n = 10*n + int(r-'0')
	}
	return n
}

func (e *examination) clock() {
	const name = "clock"
	if e.serverTime.IsZero() {
		e.add(NotChecked, name, "", "the API server does not tell its time")
		return
	}
	if skew := e.Now.Sub(e.serverTime); skew.Abs() > maxSkew {
		e.add(Warning, name, "set the clock of this machine: times that this program shows are wrong",
			"the clock here and that of the API server are %s apart", skew.Abs().Round(time.Second))
		return
	}
	e.ok(name, "the clock here and that of the API server agree")
}

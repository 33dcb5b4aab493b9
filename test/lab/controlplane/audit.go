package controlplane

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sync"
	"time"
)

const auditLog = "audit.log"

// Write is one write request that the API server has answered.
type Write struct {
	Received    time.Time // when the request came in: the change is not older
	Time        time.Time // when it was answered
	User        string    // "system:serviceaccount:NAMESPACE:NAME" for a ServiceAccount
	Verb        string    // create, update, patch, delete, deletecollection
	Resource    string    // plural: "deployments"
	Subresource string    // "status", "scale"; "" for the object itself
	Namespace   string
	Name        string
	Code        int  // HTTP status of the answer
	DryRun      bool // the request asked to store nothing
}

// Writes lists the write requests of user so far, oldest first; of everybody for "".
// A write that found nothing to change is a request too and is listed.
func (c *ControlPlane) Writes(user string) ([]Write, error) {
	all, err := c.audit.read(c.file(auditLog))
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	var writes []Write
	for _, w := range all {
		if user == "" || w.User == user {
			writes = append(writes, w)
		}
	}
	return writes, nil
}

// audit keeps what was read of the audit log: it is long, and it only grows.
type audit struct {
	mu     sync.Mutex
	offset int64 // of the first byte that was not read yet
	writes []Write
}

// read returns every write in file. The next call reads only what is new.
func (a *audit) read(file string) ([]Write, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := f.Seek(a.offset, io.SeekStart); err != nil {
		return nil, err
	}
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			// A line still being written is not answered yet. The capacity is cut, so that
			// later writes never change a list that was returned.
			return a.writes[:len(a.writes):len(a.writes)], nil
		}
		if err != nil {
			return nil, err
		}
		w, err := parseWrite(line)
		if err != nil {
			return nil, err
		}
		a.writes, a.offset = append(a.writes, w), a.offset+int64(len(line))
	}
}

// auditEvent is the part of audit.k8s.io/v1 Event that Write needs.
type auditEvent struct {
	RequestURI string `json:"requestURI"`
	Verb       string `json:"verb"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
	RequestReceivedTimestamp time.Time `json:"requestReceivedTimestamp"`
	StageTimestamp           time.Time `json:"stageTimestamp"`
}

func parseWrite(line []byte) (Write, error) {
	var e auditEvent
	if err := json.Unmarshal(line, &e); err != nil {
		return Write{}, fmt.Errorf("line %q: %w", line, err)
	}
	uri, err := url.Parse(e.RequestURI)
	if err != nil {
		return Write{}, fmt.Errorf("request %q: %w", e.RequestURI, err)
	}
	return Write{
		Received: e.RequestReceivedTimestamp, Time: e.StageTimestamp, User: e.User.Username, Verb: e.Verb,
		Resource: e.ObjectRef.Resource, Subresource: e.ObjectRef.Subresource,
		Namespace: e.ObjectRef.Namespace, Name: e.ObjectRef.Name,
		Code: e.ResponseStatus.Code, DryRun: uri.Query().Has("dryRun"),
	}, nil
}

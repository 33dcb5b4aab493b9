package gate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/headgate/headgate/rollout/spec"
)

// maxBody is how much of an answer is read, for the connection to be used again.
const maxBody = 16 << 10

// pauses between the retries of one gate: 0.2s, 0.3s, 0.45s and so on, 23s in all
// for ten.
var pauses = wait.Backoff{Duration: 200 * time.Millisecond, Factor: 1.5}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        10,
		MaxIdleConns:           100,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// stay has a redirect be the answer.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// ask sends body until there is an answer, or g.Retries are used up, and says
// what the last one was.
func (k *Gatekeeper) ask(ctx context.Context, g spec.Gate, body []byte) (open bool, said string) {
	said = "was not asked: the gates before it took too long"
	backoff := pauses
	backoff.Steps = g.Retries + 1
	// Its error says no more than that there was no answer, or no time.
	_ = wait.ExponentialBackoffWithContext(ctx, backoff, func(ctx context.Context) (bool, error) {
		status, err := k.post(ctx, g, body)
		if err != nil {
			said = "did not answer: " + explain(err, g.Timeout)
			return false, nil
		}
		open = status/100 == 2
		said = fmt.Sprintf("answered %d %s", status, http.StatusText(status))
		return status < 500 && status != http.StatusTooManyRequests, nil
	})
	return open, said
}

// post is the status of one answer.
func (k *Gatekeeper) post(ctx context.Context, g spec.Gate, body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", spec.ManagedBy)
	// Present and empty, it is not sent and tells the transport that asking twice
	// is harmless: a kept connection that the gate has just closed is then replaced
	// by a new one.
	req.Header["Idempotency-Key"] = nil
	resp, err := k.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxBody) // what it says is nobody's business
	return resp.StatusCode, nil
}

// explain reduces err to what does not differ from try to try, as do the local
// port, the address that a name was resolved to, and the time at which a
// certificate was looked at.
func explain(err error, timeout time.Duration) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "nothing within " + timeout.String()
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "it speaks http, not https"
	}
	if errors.Is(err, io.EOF) {
		return "it closed the connection"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "its certificate has expired or is not valid yet"
	}
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Sprintf("%.300s", unverified.Err)
	}
	if lookup, ok := errors.AsType[*net.DNSError](err); ok {
		return lookup.Err
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" { // so crypto/tls says what the other side did not like
		return op.Err.Error()
	}
	return "there was no HTTP"
}

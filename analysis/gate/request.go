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

// maxBody is how much of an answer is read. A connection is used again only if its
// answer was read to the end.
const maxBody = 16 << 10

// retryPauses are the pauses between the requests to one gate: 0.2s, 0.3s, 0.45s and
// so on. Ten retries pause for 0.2s × (1.5^10 - 1) / 0.5 = 22.7s in all.
var retryPauses = wait.Backoff{Duration: 200 * time.Millisecond, Factor: 1.5}

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

// refuseRedirect makes a redirect the answer, which is a closed gate.
func refuseRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// askWithRetries sends body until there is an answer or g.Retries are used up. said
// describes the last attempt. A failed connection, 429 and 5xx are not answers.
func (k *Gatekeeper) askWithRetries(ctx context.Context, g spec.Gate, body []byte) (open bool, said string) {
	said = "was not asked: the gates before it took too long"
	backoff := retryPauses
	backoff.Steps = g.Retries + 1
	// The error says only that there was no answer or no time; said says more.
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

// post sends one request and returns the status of the answer.
func (k *Gatekeeper) post(ctx context.Context, g spec.Gate, body []byte) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", spec.ManagedBy)
	// With this key set to nil, net/http sends no such header, but takes the request
	// for one that it may repeat. It does so when the gate has just closed an idle
	// connection.
	req.Header["Idempotency-Key"] = nil
	resp, err := k.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxBody) // only the status counts
	return resp.StatusCode, nil
}

// explain reduces err to what is the same in each attempt, because the message of a
// condition must not change while nothing happens. It leaves out the local port, the
// address that a name resolved to, and the time of a certificate check.
func explain(err error, timeout time.Duration) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timed out after " + timeout.String()
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "the server speaks http, not https"
	}
	if errors.Is(err, io.EOF) {
		return "the server closed the connection"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the certificate has expired or is not valid yet"
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
	// crypto/tls reports an alert of the server with this Op.
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return op.Err.Error()
	}
	return "the connection failed or the answer was not HTTP"
}

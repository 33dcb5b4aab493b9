package smoke

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/headgate/headgate/test/lab/app"
	"github.com/headgate/headgate/test/lab/node"
)

// VersionVariable makes Run ask; its value is the version of the image.
const VersionVariable = "HEADGATE_LAB_SMOKE_VERSION"

// config is what to ask and what to expect. The URL is the first argument, or else the variable URL.
type config struct {
	url     string
	version string        // EXPECT_VERSION: the sample service's version; "" is any
	body    string        // EXPECT_BODY: a part of the body; "" is any
	delay   time.Duration // DELAY: wait before the request
	score   string        // SCORE: the termination message after a success; "" is none
}

// Run asks and ends the process when the program was started as a pod's
// container; otherwise it returns at once. Call it first in main or TestMain.
func Run() {
	if os.Getenv(VersionVariable) == "" {
		return
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(args []string) error {
	c, err := load(args)
	if err != nil {
		return err
	}
	time.Sleep(c.delay)
	if err := ask(c); err != nil || c.score == "" {
		return err
	}
	return os.WriteFile(os.Getenv(node.MessageVariable), []byte(c.score+"\n"), 0o666)
}

func load(args []string) (config, error) {
	c := config{url: os.Getenv("URL"), version: os.Getenv("EXPECT_VERSION"), body: os.Getenv("EXPECT_BODY"), score: os.Getenv("SCORE")}
	if len(args) > 0 {
		c.url = args[0]
	}
	if c.url == "" {
		return c, fmt.Errorf(`no URL: give one as the argument or in URL, like "http://web.shop.svc/"`)
	}
	if delay := os.Getenv("DELAY"); delay != "" {
		var err error
		if c.delay, err = time.ParseDuration(delay); err != nil {
			return c, fmt.Errorf("DELAY: invalid value %q: write it like %q", delay, "5s")
		}
	}
	return c, nil
}

// limit of one request: longer than any answer that a smoke test would call good.
const limit = 10 * time.Second

func ask(c config) error {
	client := &http.Client{Timeout: limit}
	res, err := client.Get(c.url)
	if err != nil {
		return err // names the URL
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.url, err)
	}
	got := res.Header.Get(app.VersionHeader)
	switch {
	case res.StatusCode < 200 || res.StatusCode > 299:
		return fmt.Errorf("%s answered %s, want a 2xx status", c.url, res.Status)
	case c.version != "" && got != c.version:
		return fmt.Errorf("%s is version %q, want %q", c.url, got, c.version)
	case !strings.Contains(string(body), c.body):
		return fmt.Errorf("%s answered %q, want a body with %q", c.url, body, c.body)
	}
	return nil
}

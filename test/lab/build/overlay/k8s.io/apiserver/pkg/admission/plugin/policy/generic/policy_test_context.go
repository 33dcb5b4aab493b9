// The context for tests of admission policies is left out. It is in no test file, and it alone
// imports the fakes of every client.

package generic

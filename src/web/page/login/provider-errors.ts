/** Why a login through a provider failed, in words. The page gets a code in its address. */
const words: Readonly<Record<string, string>> = {
  access_denied: 'You did not allow the login at the provider.',
  login_required: 'The provider wants you to log in there first.',
  interaction_required: 'The provider wants you to log in there first.',
  consent_required: 'The provider needs your consent first.',
  temporarily_unavailable: 'The provider is not available just now. Please try again later.',
  server_error: 'The provider had a problem. Please try again later.',
  unavailable: 'The provider does not answer. Please try again later.',
  rate_limited: 'There were too many logins from here. Please wait a minute and try again.',
  expired: 'This login was begun in another browser, took too long or was used already. Please begin again.',
  banned: 'You are banned.',
  conflict: 'This account at the provider belongs to another account here.',
};

/** @param code from `#error=…` of the page's address */
export function explainProviderError(code: string): string {
  return words[code] ?? 'The login at the provider was not finished. Please try again.';
}

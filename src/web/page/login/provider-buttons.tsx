/** A button for each provider that people can log in through. */
import { useEffect, useState } from 'preact/hooks';
import type { ParleyClient } from '../../../client/parley-client.ts';

export interface Provider {
  readonly name: string;
  readonly label: string;
  readonly url: string;
}

/** The providers that are configured; none until they were read, or when they cannot be. */
export function useProviders(client: ParleyClient): readonly Provider[] {
  const [providers, setProviders] = useState<readonly Provider[]>([]);
  useEffect(() => {
    client.callOpen<{ items: readonly Provider[] }>('GET', '/v1/auth/providers').then(
      ({ items }) => setProviders(items),
      () => setProviders([]),
    );
  }, [client]);
  return providers;
}

export function ProviderButtons({
  providers,
  onChoose,
}: {
  providers: readonly Provider[];
  onChoose: (name: string) => void;
}) {
  if (providers.length === 0) return null;
  return (
    <div class="providers">
      {providers.map(({ name, label, url }) => (
        <a
          class="button"
          href={url}
          key={name}
          onClick={(event) => {
            event.preventDefault();
            onChoose(name);
          }}
        >
          Log in with {label}
        </a>
      ))}
    </div>
  );
}

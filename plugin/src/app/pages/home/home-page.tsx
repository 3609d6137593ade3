/** Home: is the pipeline well, and what to do first. */
import { PluginPage } from '@grafana/runtime';
import { Box, Alert, Badge, Card, Grid, LinkButton, Stack, Text } from '@grafana/ui';
import { useCallback } from 'react';
import { countText, secondsText, timeText } from '../../shared/format.js';
import { explorerUrl } from '../../shared/links.js';
import { Muted } from '../../shared/muted.js';
import { PageState } from '../../shared/page-state.js';
import type { Pipeline } from '../../shared/pipeline.js';
import { askPipeline } from '../../shared/pipeline.js';
import { callResource } from '../../shared/resources.js';
import { useSourceUid } from '../../shared/source.js';
import type { Status } from '../../shared/status.js';
import { useData } from '../../shared/use-data.js';
import type { Health } from './health.js';
import { firstSteps, healthOf, latestRange, views } from './health.js';

const pollMs = 15_000;

interface Overall extends Pipeline {
  readonly status: Status;
  /** where the explorer begins */
  readonly range: ReturnType<typeof latestRange>;
}

async function askOverall(uid: string): Promise<Overall> {
  const status = await callResource<Status>(uid, 'status');
  const range = latestRange(status.watermarkMs, Date.now());
  return { status, range, ...(status.ready ? await askPipeline(uid) : { probes: [], engines: [] }) };
}

export function HomePage() {
  const uid = useSourceUid();
  const loaded = useData(
    useCallback(() => askOverall(uid), [uid]),
    pollMs,
  );
  return (
    <PluginPage
      subTitle="What the network does, and whether all of it is seen"
      actions={
        <LinkButton icon="compass" href={explorerUrl(loaded.data?.range ?? {})}>
          Explore traffic
        </LinkButton>
      }
    >
      <PageState loaded={loaded} what="the state of NetSpectra">
        {(overall) => <PipelineView {...overall} uid={uid} />}
      </PageState>
    </PluginPage>
  );
}

function PipelineView({ status, range, probes, engines, uid }: Overall & { readonly uid: string }) {
  const steps = firstSteps(status, probes, uid);
  return (
    <Stack direction="column" gap={2}>
      {!status.reachable && (
        <Alert severity="error" title="The NetSpectra API cannot be reached">
          {status.error}
        </Alert>
      )}
      <Grid columns={{ xs: 1, md: 2 }} gap={1}>
        {healthOf(status, probes, engines).map((health) => (
          <HealthCard key={health.name} {...health} />
        ))}
      </Grid>
      {steps.some(({ done }) => !done) && (
        <section aria-labelledby="first-steps">
          <Text element="h2" variant="h4">
            <span id="first-steps">First steps</span>
          </Text>
          <ol style={{ listStyle: 'none', padding: 0 }}>
            {steps.map(({ title, text, done, href, action }) => (
              <li key={title}>
                <Card noMargin>
                  <Card.Heading>{title}</Card.Heading>
                  <Card.Description>{text}</Card.Description>
                  <Card.Tags>
                    <Badge
                      color={done ? 'green' : 'blue'}
                      icon={done ? 'check' : 'circle'}
                      text={done ? 'Done' : 'To do'}
                    />
                  </Card.Tags>
                  {!done && href !== undefined && (
                    <Card.Actions>
                      <LinkButton size="sm" variant="secondary" href={href}>
                        {action}
                      </LinkButton>
                    </Card.Actions>
                  )}
                </Card>
              </li>
            ))}
          </ol>
        </section>
      )}
      {probes.length > 0 && (
        <section aria-labelledby="look-around">
          <Box marginBottom={1}>
            <Text element="h2" variant="h4">
              <span id="look-around">Look around</span>
            </Text>
          </Box>
          <Grid columns={{ xs: 1, md: 2 }} gap={1}>
            {views.map(({ view, title, text }) => (
              <Card key={view} noMargin href={explorerUrl({ view, ...range })}>
                <Card.Heading>{title}</Card.Heading>
                <Card.Description>{text}</Card.Description>
              </Card>
            ))}
          </Grid>
        </section>
      )}
      {status.version !== undefined && (
        <Muted>
          NetSpectra {status.version}, up {secondsText(status.uptimeSeconds ?? 0)}. Everything is stored up to{' '}
          {timeText(status.watermarkMs)}. {countText(engines.reduce((sum, each) => sum + each.flows_live, 0))} flows are
          live.
        </Muted>
      )}
    </Stack>
  );
}

const colors = { good: 'green', warning: 'orange', bad: 'red', unknown: 'darkgrey' } as const;
const icons = { good: 'check', warning: 'exclamation-triangle', bad: 'times', unknown: 'question-circle' } as const;
const words = { good: 'Good', warning: 'Look at this', bad: 'Not working', unknown: 'Not known' } as const;

function HealthCard({ name, level, detail, href }: Health) {
  return (
    <Card noMargin {...(href === undefined ? {} : { href })}>
      <Card.Heading>{name}</Card.Heading>
      <Card.Description>{detail}</Card.Description>
      <Card.Tags>
        <Badge color={colors[level]} icon={icons[level]} text={words[level]} />
      </Card.Tags>
    </Card>
  );
}

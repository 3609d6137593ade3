/** A short text that takes effect when it is left, or with Enter. */
import { Input } from '@grafana/ui';
import { useState } from 'react';

interface Props {
  readonly id: string;
  readonly value: string;
  readonly placeholder?: string;
  readonly width?: number;
  /** from the field around it */
  readonly invalid?: boolean | undefined;
  readonly onChange: (value: string) => void;
}

export function TextField({ id, value, placeholder, width = 14, invalid = false, onChange }: Props) {
  const [text, setText] = useState(value);
  const [given, setGiven] = useState(value);
  if (given !== value) {
    setGiven(value);
    setText(value);
  }
  const take = (): void => {
    if (text.trim() !== value) onChange(text.trim());
  };
  return (
    <Input
      id={id}
      width={width}
      {...(placeholder === undefined ? {} : { placeholder })}
      value={text}
      invalid={invalid}
      aria-invalid={invalid}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={take}
      onKeyDown={(event) => {
        if (event.key === 'Enter') take();
      }}
    />
  );
}

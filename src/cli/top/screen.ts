/** The frame on the terminal, by Ink: it draws what changed, reads keys, and puts the terminal back when it ends. */
import { Box, type Key, render, Text, useInput, useWindowSize } from 'ink';
import { createElement, type ReactNode } from 'react';
import type { Line, Size } from './frame.ts';
import type { Press } from './keys.ts';

export interface ScreenProps {
  readonly colour: boolean;
  frame(size: Size): readonly Line[];
  pressed(key: Press, size: Size): void;
}
export interface Screen {
  /** Draws again with what is known now. */
  draw(): void;
  close(): Promise<void>;
}

/** Takes the terminal's other screen until `close` or the end of the process, whatever ends it. */
export function openScreen(props: ScreenProps): Screen {
  const element = () => createElement(Frame, { ...props });
  const instance = render(element(), {
    alternateScreen: true,
    exitOnCtrlC: false,
    interactive: true,
    patchConsole: false,
  });
  return {
    draw: () => instance.rerender(element()),
    async close() {
      instance.unmount();
      await instance.waitUntilExit();
    },
  };
}

function Frame({ colour, frame, pressed }: ScreenProps): ReactNode {
  const { columns, rows } = useWindowSize();
  const size = { columns, rows: rows - 1 };
  useInput((input, key) => pressed(pressOf(input, key), size));
  const lines = frame(size).map((line, at) =>
    createElement(Text, { key: at, wrap: 'truncate', ...(colour ? looksOf(line) : {}) }, line.text || ' '),
  );
  return createElement(Box, { flexDirection: 'column' }, ...lines);
}

function looksOf({ style }: Line) {
  if (style === undefined) return {};
  if (style === 'selected') return { inverse: true };
  if (style === 'bold') return { bold: true };
  return style === 'dim' ? { dimColor: true } : { color: style };
}

const NAMES = {
  upArrow: 'up',
  downArrow: 'down',
  pageUp: 'pageUp',
  pageDown: 'pageDown',
  return: 'enter',
  escape: 'escape',
  backspace: 'backspace',
  delete: 'backspace',
} as const;

function pressOf(input: string, key: Key): Press {
  if (key.ctrl) return { text: input === 'c' ? '\u0003' : '' };
  const found = Object.entries(NAMES).find(([flag]) => key[flag as keyof typeof NAMES]);
  return found ? { text: '', name: found[1] } : { text: input };
}
